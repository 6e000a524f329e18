/// One evaluation of the loss by a search: how far each unit was from the weights before the step, and the loss there.
public struct TriedStep: Sendable, Hashable {
    /// η of each unit; 0 for one that stayed.
    public let stepSizes: [Double]
    public let loss: Double
}
